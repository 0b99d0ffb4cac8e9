// Leaving a page with unsaved changes asks first.
import { guardedForm, hasLooseChanges, measure } from './changes.js';
import { dropPendingDraft, keepDraft } from './drafts.js';
import { page } from './page.js';

// Text tells of each key by input; what is set otherwise may tell by change alone.
for (const type of ['input', 'change']) document.addEventListener(type, noteChange);

function noteChange(event) {
  const { form } = event.target;
  if (form?.matches('[data-guard]') && measure(form)) keepDraft(form);
}

// A submission that htmx takes over is prevented by then: the page stays.
document.addEventListener('submit', (event) => {
  if (event.defaultPrevented || !event.target.matches('[data-guard], [data-loose]')) return;
  page.leaving = true;
  dropPendingDraft();
});

addEventListener('beforeunload', (event) => {
  if (!page.leaving && hasUnsavedChanges()) event.preventDefault();
});

// Back may bring the page as it was left, or with what the browser remembers of its fields.
addEventListener('pageshow', () => {
  page.leaving = false;
  measure();
});

// session.js asks whether it may leave for the sign-in. A form with a draft loses nothing by that.
document.addEventListener('tyrian:leave', (event) => {
  if (hasUnsavedChanges() && !guardedForm()?.dataset.draftUrl) event.preventDefault();
  else page.leaving = true;
});

function hasUnsavedChanges() {
  return measure() || hasLooseChanges();
}
