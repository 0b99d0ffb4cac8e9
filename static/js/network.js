// Whatever was asked for and got no answer says so, and a page without a network says that. A form with a
// Save and files on their way say it beside themselves (saving.js, files.js).
import { around, find, make } from './dom.js';
import { page } from './page.js';

// What the page asks for by itself, and will ask for again.
const BY_ITSELF = '[hx-trigger*="every"], [hx-trigger*="from:body"], [hx-trigger="load"]';

const OFFLINE = 'Offline: what you do here is not sent until the network is back.';

document.addEventListener('htmx:error', ({ detail: { ctx } }) => {
  const source = ctx?.sourceElement;
  if (!source?.matches || source.matches(`${BY_ITSELF}, [data-drop]`) || page.flight?.ctx === ctx) return;
  say(navigator.onLine ? 'Not done: the server cannot be reached. Try again.' : OFFLINE);
});

// An answer of any kind: it is reached again.
document.addEventListener('htmx:after:request', ({ detail: { ctx } }) => {
  if (ctx?.response) say('');
});

addEventListener('offline', () => say(OFFLINE));
addEventListener('online', () => say(''));

// No words take the notice away.
export function say(words) {
  const shown = find('#network');
  if (!words) shown?.remove();
  else if (shown) shown.textContent = words;
  else document.body.append(make('p', { id: 'network', role: 'alert', textContent: words }));
}

document.addEventListener('click', (event) => {
  if (around(event, '#network')) say('');
});
