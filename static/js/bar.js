// How high the page's bar is: a long title wraps, and what stays in sight below the bar has to know. The
// style sheet has a height of its own for the moment before this one, and none where the bar does not stay.
import { find } from './dom.js';

function measure() {
  const height = Math.ceil(find('.bar')?.getBoundingClientRect().height ?? 0);
  document.documentElement.style.setProperty('--bar-height', height);
}

const bar = find('.bar');
if (bar) new ResizeObserver(measure).observe(bar);
