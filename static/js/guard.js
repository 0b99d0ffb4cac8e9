// What is typed does not go by itself: leaving a page with unsaved changes asks first, and a form is posted
// only once its draft is kept, so that a session that ended, a proof that is asked for, a server that is busy
// or a network that went away takes nothing with it.
import { isUnsaved, isWatched, measure, watchedForms } from './changes.js';
import { findAll } from './dom.js';
import { dropPendingDraft, isKept, keepAllDrafts, keepDraft, keepNow } from './drafts.js';
import { hasFilesUnderWay } from './files.js';
import { hasChangedEditors } from './inline.js';
import { rememberSent } from './offers.js';
import { page } from './page.js';
import { mayBeMended, showFailure, showState } from './state.js';

// A page that is still here so many milliseconds after its form was posted was not left: the person stopped
// it, or the answer was a file.
const LEFT_BY = 20_000;

// Text tells of each key by input; what is set otherwise may tell by change alone.
for (const type of ['input', 'change']) document.addEventListener(type, noteChange);

function noteChange(event) {
  const { form } = event.target;
  if (!isWatched(form) || !measure(form)) return;
  // Leaving a field tells of a change, too: a press of Try again must still find its button.
  if (event.type === 'input' && mayBeMended(form)) showState(form, 'unsaved', 'Unsaved changes');
  keepDraft(form);
}

// A submission that htmx takes over is prevented by then: the page stays. How far a form that is posted as a
// whole page has come is its data-posting: keeping its draft, kept, sent. Further clicks wait until the page
// is left.
document.addEventListener('submit', (event) => {
  const form = event.target;
  const { posting } = form.dataset;
  if (event.defaultPrevented || form.getAttribute('method') !== 'post') return;
  if (posting === 'keeping' || posting === 'sent') {
    event.preventDefault();
  } else if (isWatched(form) && posting === undefined && measure(form)) {
    event.preventDefault();
    postWhenKept(form, event.submitter);
  } else if (isWatched(form)) {
    page.leaving = true;
    dropPendingDraft(form);
    noteSent(form);
  } else if (!hasUnsavedChanges()) {
    noteSent(form);
  }
});

function noteSent(form) {
  form.dataset.posting = 'sent';
  setTimeout(stayHere, LEFT_BY);
}

function stayHere() {
  page.leaving = false;
  for (const form of findAll('form[data-posting=sent]')) delete form.dataset.posting;
}

async function postWhenKept(form, submitter) {
  showState(form, 'saving', 'Saving…');
  form.dataset.posting = 'keeping';
  const outcome = await keepNow(form);
  delete form.dataset.posting;
  if (outcome === 'unreachable') {
    showFailure(form, navigator.onLine ? 'the server cannot be reached' : 'offline', true);
  } else if (outcome !== 'signed-out') {
    rememberSent(form, outcome === 'kept');
    form.dataset.posting = 'kept';
    form.requestSubmit(submitter);
    // A field that the browser finds wrong stops it.
    if (form.dataset.posting === 'kept') delete form.dataset.posting;
  }
}

addEventListener('beforeunload', (event) => {
  if (!page.leaving && hasUnsavedChanges()) event.preventDefault();
});

// Back may bring the page as it was left, or with what the browser remembers of its fields.
addEventListener('pageshow', () => {
  stayHere();
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
  if (isLost || hasFilesUnderWay() || hasChangedEditors()) event.preventDefault();
  else page.leaving = true;
});

function hasUnsavedChanges() {
  return watchedForms().some(isUnsaved) || hasFilesUnderWay();
}
