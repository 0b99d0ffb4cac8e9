// Keys. What a key does is found by data-key on a button, link or field of the page: where none is, the key
// keeps its meaning in the browser. One listener for all, because the first rule that fits is the only one.
import { around, find, findAll } from './dom.js';
import { finish } from './inline.js';

document.addEventListener('keydown', (event) => {
  const inline = around(event, 'form[data-inline]');
  const loose = event.target.form?.matches('[data-loose]') ? event.target.form : null;
  const { key, altKey } = event;
  const ctrl = isCtrl(event);
  if (ctrl && (letterOf(event) === 's' || key === 'Enter')) save(event, loose);
  else if (altKey && key === 'PageUp') press('previous', event);
  else if (altKey && key === 'PageDown') press('next', event);
  else if (inline && (key === 'Escape' || key === 'Enter')) endInline(event, inline);
  else if (key === 'Escape') close(event);
  else if (key === 'Enter' && event.target.dataset.enter) pressOwnButton(event);
  else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !altKey) single(event);
  else if ((key === 'ArrowDown' || key === 'ArrowUp') && !ctrl) walkRows(event);
});

// The sign that a key gives, whatever Caps Lock says; on a keyboard of other letters, the Latin one that is
// printed on the key beside them.
function letterOf({ key, code }) {
  const isForeign = key.length === 1 && key > '\u007f';
  return isForeign && code.startsWith('Key') ? code.slice(3).toLowerCase() : key.toLowerCase();
}

// Ctrl, or Cmd on a Mac, and no other modifier beside it.
function isCtrl(event) {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
}

function press(name, event) {
  const element = find(`[data-key="${name}"]`);
  if (!element) return;
  event.preventDefault();
  element.click();
}

// Enter in a search that stands in a larger form presses the search's own button (data-enter) and not the
// form's first one.
function pressOwnButton(event) {
  event.preventDefault();
  find(event.target.dataset.enter)?.click();
}

// In a loose form both keys send that form alone.
function save(event, loose) {
  if (loose) {
    event.preventDefault();
    loose.requestSubmit();
  } else {
    press(event.key === 'Enter' ? 'save-next' : 'save', event);
  }
}

function endInline(event, form) {
  event.preventDefault();
  finish(form, event.key === 'Enter');
}

// Escape inside a dialog or a popover closes that, and the browser sees to it. In a field it leaves the
// field, so that single letters work again.
function close(event) {
  if (around(event, 'dialog, [popover]')) return;
  if (around(event, 'form[data-guard] :is(input, select, textarea)')) event.target.blur();
  else press('close', event);
}

// Single signs, which people may switch off, because speech input types letters. Each names what it acts on;
// the page may hold several of those, of which the first counts: the next step that is not ticked, say.
const SINGLE = {
  '/': 'search',
  s: 'start',
  x: 'tick',
  c: 'copy',
  r: 'red',
  b: 'blue',
  a: 'source',
  n: 'notes',
  l: 'log',
  j: 'next',
  k: 'previous',
  '?': 'keys',
};

// What is found by what it does, and needs no mark of its own.
const ELSEWHERE = { copy: '.step:not(.done) [data-copy^="#cmd-"]' };

function actedOn(name) {
  return find(ELSEWHERE[name] ?? `[data-key~="${name}"]`);
}

// Whoever was typing when a refusal or a conflict took the focus goes on typing: there letters do nothing.
const NO_LETTERS = 'input, select, textarea, [contenteditable], [data-focus], [role=alert], dialog';

function single(event) {
  const isTyping = around(event, NO_LETTERS);
  const name = SINGLE[letterOf(event)];
  if (!name || isTyping || document.documentElement.dataset.shortcuts === 'off') return;
  const element = actedOn(name);
  if (!element) return;
  event.preventDefault();
  act(name, element);
}

function act(name, element) {
  // What is folded away is unfolded first: focus would otherwise go nowhere.
  const folded = element.closest('details:not([open])');
  if (folded && !element.matches('summary')) folded.open = true;
  if (element.matches('input, select, textarea')) {
    element.focus();
    element.scrollIntoView({ block: 'center' });
  } else if (name === 'keys') {
    element.togglePopover();
  } else {
    if (name === 'tick') element.focus();
    element.click();
  }
}

// The sheet lists the keys that do something on this page.
document.addEventListener(
  'toggle',
  ({ target, newState }) => {
    if (target.id !== 'keys' || newState !== 'open') return;
    for (const keys of findAll('[data-keys]', target)) {
      const isOffered = keys.dataset.keys.split(' ').some(actedOn);
      keys.hidden = !isOffered;
      keys.nextElementSibling.hidden = !isOffered;
    }
  },
  true,
);

// Up and down through the rows of a list, with the search field above the first.
function walkRows(event) {
  if (!around(event, '[data-row], [type=search]')) return;
  const rows = findAll('[data-row]');
  const at = rows.indexOf(event.target); // -1 in the search field
  const next = event.key === 'ArrowDown' ? rows[at + 1] : rows[at - 1] ?? find('[data-key="search"]');
  if (!next || next === event.target) return;
  event.preventDefault();
  next.focus();
}
