// Saving the guarded form by htmx. What is typed after the request left is not in it: it stays in the form as
// unsaved, whatever the answer draws anew.
import { guardedForm, hasLooseChanges, measure } from './changes.js';
import { find, make } from './dom.js';
import { dropPendingDraft, keepDraft, markTab } from './drafts.js';
import { mergeFresh } from './merge.js';
import { page } from './page.js';
import { isOfServer, reasonOf } from './reasons.js';
import { clearState, showFailure, showState, stateOf } from './state.js';
import { current, fields, isChanged, keyOf, rendered, show, snapshot } from './values.js';

document.addEventListener('htmx:before:request', (event) => {
  const { ctx } = event.detail;
  const form = guardedForm();
  if (!form || !isSaveOf(form, ctx)) return;
  dropPendingDraft(form);
  showState(form, 'saving', 'Saving…');
  page.flight = {
    form,
    ctx, // htmx's own record of the request, by which later events are known to be about it
    sent: snapshot(form),
    late: new Map(), // what was typed since, taken just before the answer is drawn
    isStrange: false, // whether the answer was not made for the form, which then stays as it is
  };
});

// A request from within the form that changes something and draws at least the form anew.
function isSaveOf(form, { sourceElement, target, request }) {
  return form.contains(sourceElement) && request.method !== 'GET' && Boolean(target.contains?.(form));
}

function isOfFlight(event) {
  return page.flight !== null && page.flight.ctx === event.detail.ctx;
}

function typedSince({ form, sent }) {
  return new Map([...snapshot(form)].filter(([key, value]) => sent.get(key) !== value));
}

// The answer leads to another page: only what it did not save holds the person back.
document.addEventListener('htmx:after:request', (event) => {
  if (!isOfFlight(event) || !leadsAway(event.detail.ctx)) return;
  page.leaving = typedSince(page.flight).size === 0 && !hasLooseChanges();
});

function leadsAway({ response, hx }) {
  return response.status < 400 && Boolean(hx.redirect || hx.location || hx.refresh);
}

// What is unsaved while something else draws a part of the form anew, such as the steps after a tick or what
// others saved: key → the value, and for an input of the commands the one that it started from.
let held = new Map();

document.addEventListener('htmx:before:swap', (event) => {
  if (isOfFlight(event)) page.flight.late = typedSince(page.flight);
  else held = unsavedIn(guardedForm());
});

function unsavedIn(form) {
  const unsaved = form ? fields(form).filter(isChanged) : [];
  return new Map(
    unsaved.map((control) => [keyOf(control), { value: current(control), had: hadOf(control)?.value ?? '' }]),
  );
}

function hadOf({ form, name }) {
  return name.startsWith('value.') ? form.elements.namedItem(name.replace('value.', 'had.')) : null;
}

function holdOn(form) {
  for (const control of fields(form)) {
    const kept = held.get(keyOf(control));
    if (!kept || kept.value === current(control)) continue;
    control.dataset.initial = rendered(control);
    show(control, kept.value);
    if (control.name.startsWith('value.')) startFrom(control, kept.had);
  }
  held = new Map();
}

// Otherwise another person's value would be replaced unseen.
function startFrom(control, value) {
  const name = control.name.replace('value.', 'had.');
  const had = hadOf(control);
  if (had) had.value = value;
  else if (value) control.after(make('input', { type: 'hidden', name, value }));
}

document.addEventListener('htmx:after:swap', (event) => {
  const form = guardedForm();
  if (form && isOfFlight(event)) {
    const { late, isStrange } = page.flight;
    const { target, response } = event.detail.ctx;
    page.flight = null;
    if (!isStrange && response.status < 400) delete form.dataset.refused;
    if (!isStrange && isDrawnAnew(form, target)) showAnew(form, late);
    markTab();
    sayHowItEnded(form, response.status, isStrange);
    if (measure(form)) keepDraft(form);
  } else if (form) {
    holdOn(form);
  }
  mergeFresh();
  measure();
});

// A refusal is drawn beside the form, which then goes on holding what was typed.
function isDrawnAnew(form, target) {
  const drawn = typeof target === 'string' ? find(target) : target;
  return !drawn || drawn.contains(form);
}

// A control that was touched ignores its new default, so it is told.
function showAnew(form, late) {
  for (const control of fields(form)) show(control, late.get(keyOf(control)) ?? rendered(control));
}

// Comes after every request; here it matters for those whose answer drew no form.
document.addEventListener('htmx:finally:request', (event) => {
  if (!isOfFlight(event)) return;
  const { form } = page.flight;
  page.flight = null;
  mergeFresh();
  if (stateOf(form) === 'saving') clearState(form);
  if (measure(form)) keepDraft(form);
});

// Beside Save, because that is where the eyes are: what is wrong with a field stands beside the field.
function sayHowItEnded(form, status, isStrange) {
  if (isStrange || status >= 400) showFailure(form, reasonOf(form, status, isStrange), isOfServer(status));
  else if (stateOf(form) === 'saving') clearState(form);
}

// No answer at all.
document.addEventListener('htmx:error', (event) => {
  if (!isOfFlight(event)) return;
  showFailure(page.flight.form, navigator.onLine ? 'the server cannot be reached' : 'offline', true);
});
