// A link that points into something closed opens it first: what it names is to be read. Parts of the page
// that come later push it away: it is brought back, as long as nobody scrolled by themselves.
import { find } from './dom.js';

let isMoved = false;
for (const type of ['wheel', 'touchmove', 'keydown', 'pointerdown']) {
  addEventListener(type, () => (isMoved = true), { passive: true });
}

function target() {
  const id = decodeURIComponent(location.hash.slice(1));
  return id ? document.getElementById(id) : null;
}

function openTarget() {
  isMoved = false;
  const closed = target()?.closest('details:not([open])');
  if (!closed) return;
  closed.open = true;
  target().scrollIntoView();
}

addEventListener('hashchange', openTarget);
openTarget();
document.addEventListener('htmx:after:settle', () => {
  if (!isMoved) target()?.scrollIntoView();
});

// What the last act did is said at the top of the page. Where the page was opened further down, it is shown
// at the lower edge for a while instead.
const SAID_FOR = 6000; // milliseconds

addEventListener('load', () => {
  const message = find('[data-message]');
  if (!message || message.getBoundingClientRect().bottom > 0) return;
  message.classList.add('toast');
  setTimeout(() => message.classList.remove('toast'), SAID_FOR);
});
