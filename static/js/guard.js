// What is typed does not go by itself: leaving a page with unsaved changes asks first, and a form is posted
// only once its draft is kept, so that a session that ended, a proof that is asked for, a server that is busy
// or a network that went away takes nothing with it.
import { guardedForm, hasLooseChanges, isWatched, measure, watchedForms } from './changes.js';
import { dropPendingDraft, isKept, keepAllDrafts, keepDraft, keepNow } from './drafts.js';
import { hasFilesUnderWay } from './files.js';
import { rememberSent } from './offers.js';
import { page } from './page.js';
import { showFailure, showState } from './state.js';

// Text tells of each key by input; what is set otherwise may tell by change alone.
for (const type of ['input', 'change']) document.addEventListener(type, noteChange);

function noteChange(event) {
  const { form } = event.target;
  if (isWatched(form) && measure(form)) keepDraft(form);
}

// A submission that htmx takes over is prevented by then: the page stays.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || !isWatched(form)) return;
  if (form.dataset.posting === undefined && measure(form)) {
    event.preventDefault();
    // A second click waits for the first.
    if (form.dataset.keeping === undefined) postWhenKept(form, event.submitter);
    return;
  }
  delete form.dataset.posting;
  page.leaving = true;
  dropPendingDraft(form);
});

async function postWhenKept(form, submitter) {
  showState(form, 'saving', 'Saving…');
  form.dataset.keeping = '';
  const outcome = await keepNow(form);
  delete form.dataset.keeping;
  if (outcome === 'unreachable') {
    showFailure(form, navigator.onLine ? 'the server cannot be reached' : 'offline');
  } else if (outcome !== 'signed-out') {
    rememberSent(form);
    form.dataset.posting = '';
    form.requestSubmit(submitter);
  }
}

addEventListener('beforeunload', (event) => {
  if (!page.leaving && hasUnsavedChanges()) event.preventDefault();
});

// Back may bring the page as it was left, or with what the browser remembers of its fields.
addEventListener('pageshow', () => {
  page.leaving = false;
  measure();
});

addEventListener('offline', () => {
  for (const form of watchedForms()) if (measure(form)) showState(form, 'offline', 'Offline · not saved');
});
addEventListener('online', keepAllDrafts);
document.addEventListener('tyrian:signed-in', keepAllDrafts);

// session.js asks whether it may leave for the sign-in. Nothing is lost by that where all of it is kept.
document.addEventListener('tyrian:leave', (event) => {
  const isLost = watchedForms().some((form) => measure(form) && !isKept(form));
  if (isLost || hasFilesUnderWay()) event.preventDefault();
  else page.leaving = true;
});

function hasUnsavedChanges() {
  return measure(guardedForm()) || hasLooseChanges() || hasFilesUnderWay();
}
