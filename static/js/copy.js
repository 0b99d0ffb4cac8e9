// Buttons that copy what stands in another element: data-copy is its selector.
import { announce, around, find, findAll } from './dom.js';

const SHOWN_FOR = 1500; // milliseconds

// At the capture, so that nothing between the document and the button sees the click first.
document.addEventListener('click', copyOnClick, true);

async function copyOnClick(event) {
  const button = around(event, '[data-copy]');
  if (!button) return;
  event.preventDefault();
  const copied = await copy(find(button.dataset.copy));
  button.dataset.copied = (copied ? 'Copied' : 'Selected') + unfilledIn(button);
  announce(button.dataset.copied);
  setTimeout(() => delete button.dataset.copied, SHOWN_FOR);
}

// A command that still holds a placeholder is copied as it is, and says so.
function unfilledIn(button) {
  const marks = findAll('mark.unfilled', button.closest('.step') ?? button);
  const names = new Set(marks.map((mark) => mark.textContent));
  if (names.size === 0) return '';
  return names.size === 1 ? ' · one input is not filled in' : ` · ${names.size} inputs are not filled in`;
}

// Browsers have no clipboard for pages without TLS, and a person may refuse it.
async function copy(source) {
  if (!navigator.clipboard) return selectAndCopy(source);
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    return selectAndCopy(source);
  }
}

// The old way. Where even that fails, what was wanted is selected, ready for Ctrl+C.
function selectAndCopy(source) {
  getSelection().selectAllChildren(source);
  return document.execCommand('copy');
}
