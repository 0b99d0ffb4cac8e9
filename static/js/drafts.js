// Drafts: what is typed into a form that names a place for them (data-draft-url) goes to the server once the
// keys have rested, so that it is there after a crash, a sign-out or on another machine.
import { measure } from './changes.js';
import { find, findAll } from './dom.js';
import { page } from './page.js';

const REST = 1500; // milliseconds

// A draft belongs to one tab, so that the server can tell of a second one. A restored draft's tab goes on as
// the one it was. randomUUID is missing without TLS.
const tab = find('[name=tab]')?.value || (crypto.randomUUID?.() ?? String(Math.random()).slice(2));

let timer = 0;

// The server cannot know this tab when it renders the form.
export function markTab() {
  for (const field of findAll('#procedure [name=tab]')) field.value = tab;
}

export function keepDraft(form) {
  clearTimeout(timer);
  if (form.dataset.draftUrl) timer = setTimeout(sendDraft, REST, form);
}

export function dropPendingDraft() {
  clearTimeout(timer);
}

async function sendDraft(form) {
  if (!form.isConnected || page.flight || page.leaving || !measure(form)) return;
  const told = await send(form);
  // By now a save may have made the draft needless.
  if (page.flight || !form.matches('[data-dirty]')) return;
  for (const place of findAll('[data-draft-text]')) place.textContent = told;
}

// What the server says about it, or that it could not be reached: the next key tries again.
async function send(form) {
  const texts = [...new FormData(form)].filter(([, value]) => typeof value === 'string');
  try {
    const answer = await fetch(form.dataset.draftUrl, {
      method: 'POST',
      body: new URLSearchParams(texts),
      headers: { 'HX-Request': 'true' },
    });
    // A redirect leads to the sign-in, whose text is no answer to this.
    if (answer.ok && !answer.redirected) return (await answer.text()).trim();
  } catch {
    // Offline.
  }
  return 'draft not kept';
}
