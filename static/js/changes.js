// What on the page is typed and not saved. The guarded form (form[data-guard]) is the page's main one, of
// which there is at most one; loose forms (form[data-loose]) are small ones beside it, such as that of a log
// entry.
import { find, findAll } from './dom.js';
import { clearState, showState, stateOf } from './state.js';
import { fields, isChanged } from './values.js';

const WATCHED = 'form[data-guard], form[data-loose]';

export function guardedForm() {
  return find('form[data-guard]');
}

// Every form of which drafts are kept.
export function watchedForms(root = document) {
  return findAll(WATCHED, root);
}

export function isWatched(form) {
  return Boolean(form?.matches?.(WATCHED));
}

// Whether the form holds anything unsaved; also says so on the page.
export function measure(form = guardedForm()) {
  if (!form) return false;
  const changed = isUnsaved(form);
  form.toggleAttribute('data-dirty', changed);
  const said = stateOf(form);
  // What says more than that there are changes stays until it is over.
  if (changed && said === '') showState(form, 'unsaved', 'Unsaved changes');
  else if (!changed && said !== '' && said !== 'saving') clearState(form);
  return changed;
}

export function hasLooseChanges() {
  return findAll('form[data-loose]').some(hasTypedText) || findAll('#inputs input').some(isChanged);
}

export function isUnsaved(form) {
  return form.matches('[data-loose]') ? hasTypedText(form) : fields(form).some(isChanged);
}

// Of a loose form only text counts: what is chosen there is chosen again at once.
function hasTypedText(form) {
  const texts = [...form.elements].filter(
    (control) => control.name && control.matches('input:not([type=hidden], [type=file]), textarea'),
  );
  return texts.some(isChanged);
}
