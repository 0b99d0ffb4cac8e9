// Drafts: what is typed into a form and not saved goes to the server once the keys have rested, so that it
// is there after a crash, a sign-out or on another machine. A form may name an address of its own for them
// (data-draft-url), whose page offers them by itself; all others share one address, and offers.js offers
// them.
import { isUnsaved, isWatched, measure, watchedForms } from './changes.js';
import { findAll } from './dom.js';
import { page } from './page.js';
import { showBehind, showState, stateOf } from './state.js';

const REST = 1500; // milliseconds after the last key
const RETRY = 10_000; // milliseconds after a draft that could not be kept
const PATIENCE = 8_000; // milliseconds until a request for it is given up

// A draft belongs to one tab, so that the server can tell of a second one. A restored draft's tab goes on as
// the one it was. randomUUID is missing without TLS.
const ownTab = crypto.randomUUID?.() ?? String(Math.random()).slice(2);

const timers = new WeakMap();
// Forms whose text, as it stands, the server has: form → what it held then.
const kept = new WeakMap();

// The server cannot know this tab when it renders the form.
export function markTab() {
  for (const field of findAll('#procedure [name=tab]')) field.value ||= ownTab;
}

export function tabOf(form) {
  return form.elements.namedItem('tab')?.value || form.dataset.draftTab || ownTab;
}

// What names a form's drafts: where it posts to, and which of the page's forms it is.
export function placeOf(form) {
  return `${new URL(form.action, location.href).pathname}#${form.id}`;
}

export function draftAddress(form) {
  if (form.dataset.draftUrl) return form.dataset.draftUrl;
  return `/account/drafts?${new URLSearchParams({ place: placeOf(form), tab: tabOf(form) })}`;
}

export function keepDraft(form) {
  if (!isWatched(form)) return;
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(sendDraft, REST, form));
}

export function dropPendingDraft(form) {
  clearTimeout(timers.get(form));
}

// Whether what the form holds is on the server as a draft.
export function isKept(form) {
  return kept.get(form) === textOf(form);
}

// Tries again for every form, when the network or the session is there again.
export function keepAllDrafts() {
  for (const form of watchedForms()) if (measure(form) && !isKept(form)) sendDraft(form);
}

async function sendDraft(form) {
  if (!form.isConnected || page.flight || page.leaving || !measure(form)) return;
  await keepNow(form);
}

// Keeps a draft at once; says how that went: 'kept', 'signed-out', 'unreachable' or 'refused'. A page may be
// told by tyrian:signed-out where to sign in.
export async function keepNow(form) {
  dropPendingDraft(form);
  const text = textOf(form);
  const { outcome, words } = await send(form, text);
  if (outcome === 'kept') kept.set(form, text);
  // By now a save may have made the draft needless.
  if (page.flight || !form.isConnected || !isUnsaved(form)) return outcome;
  if (outcome === 'unreachable') timers.set(form, setTimeout(sendDraft, RETRY, form));
  // Why a save failed is worth more than that a draft was kept of it.
  if (stateOf(form) === 'failed') {
    showBehind(form, words || 'draft not kept');
  } else if (outcome === 'unreachable' && !navigator.onLine) {
    showState(form, 'offline', 'Offline · not saved, and no draft is kept');
  } else if (outcome !== 'signed-out') {
    showState(form, 'unsaved', `Unsaved changes · ${words}`);
  }
  return outcome;
}

async function send(form, body) {
  try {
    const answer = await fetch(draftAddress(form), {
      method: 'POST',
      body,
      headers: { 'HX-Request': 'true', 'Content-Type': 'application/x-www-form-urlencoded' },
      signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.status === 401) {
      const gate = answer.headers.get('HX-Redirect');
      document.dispatchEvent(new CustomEvent('tyrian:signed-out', { detail: { gate } }));
      return { outcome: 'signed-out', words: '' };
    }
    if (answer.ok && !answer.redirected) return { outcome: 'kept', words: (await answer.text()).trim() };
    const isBusy = answer.status >= 500 || answer.status === 429;
    return { outcome: isBusy ? 'unreachable' : 'refused', words: 'draft not kept' };
  } catch {
    return { outcome: 'unreachable', words: 'draft not kept: the server cannot be reached' };
  }
}

// What is typed, as it is posted; never a password or a file.
function textOf(form) {
  const passwords = [...form.elements].filter(({ type }) => type === 'password');
  const secret = new Set(passwords.map(({ name }) => name));
  const pairs = [...new FormData(form)].filter(
    ([name, value]) => typeof value === 'string' && !secret.has(name),
  );
  return new URLSearchParams(pairs).toString();
}

// Forgets a form's draft, because what it held is saved or was thrown away.
export function discardDraft(place, tab) {
  const body = new URLSearchParams({ place, tab });
  return fetch('/account/drafts/discard', { method: 'POST', body, headers: { 'HX-Request': 'true' } }).catch(
    () => null,
  );
}

// A form whose drafts the page itself offers forgets them by its save.
export function hasOwnAddress(form) {
  return Boolean(form.dataset.draftUrl);
}

