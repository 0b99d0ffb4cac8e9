// What others saved meanwhile. The server's live updates leave it in #fresh: a version, and for each field
// its value, by whom and when. Fields that are untouched take the value. The others are marked, and the form
// remembers the version they started from (base.<field>), so that the server sees a conflict for what it is.
import { guardedForm, measure } from './changes.js';
import { announce, find, findAll, make } from './dom.js';
import { page } from './page.js';
import { current, fields, isChanged, isTick, plain, saved, settle } from './values.js';

// Called whenever htmx has drawn something; #fresh may have been it.
export function mergeFresh() {
  const form = guardedForm();
  const fresh = find('#fresh template[data-version]');
  const version = form?.elements.namedItem('version');
  // A save under way brings all of it with its answer, or comes here when it ends.
  if (!fresh || !version || page.flight) return;
  if (Number(fresh.dataset.version) <= Number(version.value)) return;
  for (const { dataset: theirs } of findAll('[data-field]', fresh.content)) {
    for (const control of fields(form).filter(({ name }) => name === theirs.field)) {
      mergeField(form, control, theirs, version.value);
    }
  }
  version.value = fresh.dataset.version;
  measure(form);
}

function mergeField(form, control, theirs, startedFrom) {
  const value = isTick(control) ? String(control.value === theirs.value) : plain(theirs.value);
  if (value === saved(control)) return;
  const base = form.elements.namedItem(`base.${theirs.field}`);
  const note = find(`[data-note="${theirs.field}"]`, form);
  // Nothing is changed under somebody's hands, even before they have typed.
  const isUntouched = !isChanged(control) && control !== document.activeElement;
  if (isUntouched || value === current(control)) {
    settle(control, value);
    base?.remove();
    note?.remove();
    return;
  }
  if (!base) form.append(make('input', { type: 'hidden', name: `base.${theirs.field}`, value: startedFrom }));
  const mark = note ?? addNote(control, theirs.field);
  mark.textContent = `${theirs.by} saved another value at ${theirs.at}`;
  announce(mark.textContent);
}

function addNote(control, field) {
  const note = make('span', { className: 'elsewhere' });
  note.dataset.note = field;
  (control.closest('.joined') ?? control).after(note);
  return note;
}
