// An answer that was not made for a form does not take its place. An error's page, a proxy's own, or nothing
// at all may come under any number; what was typed stays, and what the server says of it stands above it.
import { find } from './dom.js';
import { say } from './network.js';
import { page } from './page.js';
import { isOfServer } from './reasons.js';

document.addEventListener('htmx:before:swap', (event) => {
  const { ctx, tasks } = event.detail;
  const form = ctx.sourceElement?.form ?? ctx.sourceElement?.closest?.('form');
  const main = tasks.find(({ type }) => type === 'main');
  if (!form || !main || !ctx.response || ctx.request.method === 'GET') return;
  const isSave = page.flight?.ctx === ctx;
  const { status } = ctx.response;
  if ((status < 400 && !isSave) || isMadeFor(main)) return;
  if (isSave) page.flight.isStrange = true;
  const refusal = isOurs(main.fragment) && find('[data-refusal]', main.fragment);
  forgetLast(form);
  if (refusal) {
    showAbove(form, main);
    ctx.target = main.target;
  } else {
    tasks.splice(0);
    const why = isOfServer(status) ? 'the server is busy' : `the server answered ${status}`;
    // A save says it beside its button.
    if (!isSave) say(`Not done: ${why}. Try again.`);
  }
});

// A whole document is none of ours: we answer a part of a page with a part.
function isOurs(fragment) {
  return fragment.firstElementChild?.tagName !== 'BODY';
}

function isMadeFor({ target, fragment, swapSpec: { style } }) {
  if (style === 'none' || style === 'delete') return true;
  if (!isOurs(fragment) || find('[data-refusal]', fragment)) return false;
  if (!style.startsWith('outer') || !target.id) return fragment.childElementCount > 0;
  return find(`#${CSS.escape(target.id)}`, fragment) !== null;
}

// A form may have a place of its own for what went wrong.
function placeIn(form) {
  return find('#problem', form);
}

function forgetLast(form) {
  const place = placeIn(form);
  if (place) place.replaceChildren();
  else if (form.previousElementSibling?.matches('[data-refusal]')) form.previousElementSibling.remove();
}

function showAbove(form, main) {
  const place = placeIn(form);
  main.target = place ?? form;
  main.swapSpec = { ...main.swapSpec, style: place ? 'innerHTML' : 'beforebegin' };
}
