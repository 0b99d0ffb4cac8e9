// What on the page is typed and not saved. The guarded form (form[data-guard]) is the page's main one, of
// which there is at most one; loose forms (form[data-loose]) are small ones beside it, such as that of a log
// entry; of those with data-loose="whole" what is ticked and chosen counts like text.
import { find, findAll } from './dom.js';
import { clearState, showState, stateOf } from './state.js';
import { fields, isChanged, isTick } from './values.js';

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
  return findAll('form[data-loose]').some(isUnsaved);
}

// A form that the server showed again instead of saving it is unsaved as it stands (data-refused, which
// offers.js sets).
export function isUnsaved(form) {
  return form.dataset.refused !== undefined || typedIn(form).some(isChanged);
}

// Of a loose form only text counts: what is ticked or chosen there is chosen again at once.
function typedIn(form) {
  const all = fields(form);
  return form.dataset.loose === '' ? all.filter((one) => !isTick(one) && !one.options) : all;
}
