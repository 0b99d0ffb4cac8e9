// What on the page is typed and not saved. The guarded form (form[data-guard]) is the page's main one, of
// which there is at most one; loose forms (form[data-loose]) are small ones beside it, such as that of a log
// entry.
import { find, findAll } from './dom.js';
import { fields, isChanged } from './values.js';

export function guardedForm() {
  return find('form[data-guard]');
}

// Whether the form holds anything unsaved; also says so on the page.
export function measure(form = guardedForm()) {
  if (!form) return false;
  const changed = fields(form).some(isChanged);
  form.toggleAttribute('data-dirty', changed);
  for (const place of findAll('[data-dirty-text]')) {
    place.textContent = changed ? place.dataset.text || 'Unsaved changes' : '';
  }
  return changed;
}

export function hasLooseChanges() {
  return findAll('form[data-loose]').some(hasTypedText) || findAll('#inputs input').some(isChanged);
}

// Of a loose form only text counts: what is chosen there is chosen again at once.
function hasTypedText(form) {
  const texts = [...form.elements].filter(
    (control) => control.name && control.matches('input:not([type=hidden], [type=file]), textarea'),
  );
  return texts.some(isChanged);
}
