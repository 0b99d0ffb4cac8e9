// The three values of a control: what it holds now, what the server rendered, and what the server has saved.
// Rendered and saved are the same unless the control carries data-initial: a restored draft or a refused form
// renders what was typed, and says there what is saved. All values are texts; a tick's is 'true' or 'false'.

// What a person does not edit, or what is no part of the saved record.
const NOT_EDITED = [
  '[type=hidden]',
  '[type=submit]',
  '[type=button]',
  '[type=file]',
  'button',
  'fieldset',
  'output',
  '[data-unguarded]',
  '[data-unguarded] *',
].join(', ');

export function fields(form) {
  return [...form.elements].filter((control) => control.name && !control.matches(NOT_EDITED));
}

// Tells the controls of a form apart: ticks of one group share their name.
export function keyOf(control) {
  return isTick(control) ? `${control.name}=${control.value}` : control.name;
}

export function isTick(control) {
  return control.type === 'checkbox' || control.type === 'radio';
}

// Browsers and the server differ over line ends, and over seconds that are zero in a time.
export function plain(text) {
  return (text ?? '')
    .replace(/\r\n?/g, '\n')
    .replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d):00(\.0+)?$/, '$1');
}

export function current(control) {
  return isTick(control) ? String(control.checked) : plain(control.value);
}

export function rendered(control) {
  if (isTick(control)) return String(control.defaultChecked);
  if (control.options) return renderedOption(control)?.value ?? '';
  return plain(control.defaultValue);
}

// Without an option that is marked as selected, browsers show the first.
function renderedOption(select) {
  return [...select.options].find((option) => option.defaultSelected) ?? select.options[0];
}

export function saved(control) {
  const { initial } = control.dataset;
  return initial === undefined ? rendered(control) : plain(initial);
}

export function isChanged(control) {
  return current(control) !== saved(control);
}

// What all fields of a form hold, by their keys.
export function snapshot(form) {
  return new Map(fields(form).map((control) => [keyOf(control), current(control)]));
}

export function show(control, value) {
  if (isTick(control)) control.checked = value === 'true';
  else control.value = value;
}

// Shows a value and takes it for the saved one, as if the server had rendered it.
export function settle(control, value) {
  delete control.dataset.initial;
  if (control.options) {
    for (const option of control.options) option.defaultSelected = option.value === value;
  } else if (isTick(control)) {
    control.defaultChecked = value === 'true';
  } else {
    control.defaultValue = value;
  }
  show(control, value);
}
