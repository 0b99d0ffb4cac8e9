// Where the keyboard's focus goes after a part of the page was drawn anew, and after Back.
import { around, find } from './dom.js';

// A row of a list that was followed, kept per address so that Back finds it.
const rowKey = () => `row ${location.href}`;

// At the capture, because whatever handles the click may change the address.
document.addEventListener('click', rememberRow, true);

function rememberRow(event) {
  const row = around(event, '[data-row][id]');
  if (row) sessionStorage.setItem(rowKey(), row.id);
}

// Where a page came back with something wrong, that is the first thing to look at.
addEventListener('DOMContentLoaded', () => {
  const wrong = find('[aria-invalid=true]') ?? find('[data-focus]:not([data-focus=if-lost])');
  if (wrong) fieldOf(wrong).focus();
});

// An act may say where the next one is (data-then), for when its own button goes.
let next = '';

document.addEventListener('htmx:before:request', ({ detail: { ctx } }) => {
  const button = ctx.sourceEvent?.submitter ?? ctx.sourceElement;
  next = button?.dataset?.then ?? next;
});

document.addEventListener('htmx:after:settle', (event) => {
  const wanting = swappedNodes(event.detail).map(focusIn).find(wantsFocus);
  if (wanting) fieldOf(wanting).focus();
  else if (isFocusLost() && next) find(next)?.focus();
  else if (isFocusLost()) returnToRow();
  if (!isFocusLost()) next = '';
});

// A morph tells of what came, and not of the elements on the page that took it over.
function swappedNodes({ newContent }) {
  const onPage = (node) => (node.isConnected ? node : node.id && document.getElementById(node.id));
  return [...(newContent ?? [])].map(onPage).filter(Boolean);
}

// What is wrong with a field is said beside it; who reads it mends the field, and goes on typing there.
function fieldOf(element) {
  return (element.id && find(`[aria-invalid=true][aria-describedby~="${element.id}"]`)) || element;
}

function focusIn(node) {
  return node.matches?.('[data-focus]') ? node : node.querySelector?.('[data-focus]');
}

// data-focus="if-lost" takes the focus only when what had it is gone.
function wantsFocus(element) {
  return element && (element.dataset.focus !== 'if-lost' || isFocusLost());
}

function isFocusLost() {
  return document.activeElement === document.body;
}

function returnToRow() {
  const id = sessionStorage.getItem(rowKey());
  if (id) document.getElementById(id)?.focus();
}
