// A time that is pasted into a field of dates and times: what the alert's own tool writes goes in as it is,
// and the server reads it. A browser's own field takes nothing but what it would have written, and says
// nothing of it.
import { around } from './dom.js';

const WALL_TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)$/;

document.addEventListener('paste', (event) => {
  const input = around(event, 'input[type=datetime-local]');
  const text = event.clipboardData.getData('text/plain').trim();
  if (!input || !text) return;
  event.preventDefault();
  const wall = WALL_TIME.exec(text);
  if (wall) {
    input.value = `${wall[1]}T${wall[2]}`;
  } else {
    input.type = 'text'; // until the answer draws it anew
    input.value = text;
  }
  for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));
});
