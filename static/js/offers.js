// Drafts that were left are offered again above their form, and one that is restored goes on as the draft it
// was. What was posted in the meantime is forgotten once the next page shows that it was taken.
import { guardedForm, isUnsaved, isWatched, measure, watchedForms } from './changes.js';
import { around, find, findAll, make } from './dom.js';
import { discardDraft, hasOwnAddress, placeOf, tabOf } from './drafts.js';
import { reasonOf } from './reasons.js';
import { showFailure } from './state.js';
import { current, fields, isTick, plain, rendered, show } from './values.js';

// Of this tab: the place and tab of the form that was posted last, and whether its draft is kept.
const SENT = 'draft sent';

// Pages that stand between a form and its answer.
const GATES = ['/sign-in', '/account/proof', '/account/two-factor'];

const asked = new Set();

// The form that this tab posted last, [place, tab], once its answer is here.
let posted = [];

export function rememberSent(form, isKept) {
  if (hasOwnAddress(form)) return;
  sessionStorage.setItem(SENT, JSON.stringify([placeOf(form), tabOf(form), isKept]));
}

async function settleSent() {
  const sent = sessionStorage.getItem(SENT);
  if (!sent || GATES.some((gate) => location.pathname.startsWith(gate))) return;
  const [place, tab, isKept] = JSON.parse(sent);
  // The page that holds a form for who must prove something first: the draft does, too, and in its own form.
  const gate = find('[data-gate]')?.dataset.gate;
  if (gate && isKept) location.replace(gate);
  if (gate) return;
  sessionStorage.removeItem(SENT);
  posted = [place, tab];
  // The form again, without a word that something was done, is one that was refused, or stood behind a gate.
  const isShownAgain = watchedForms().some((one) => placeOf(one) === place) && !find('[data-message]');
  if (!isShownAgain && !find('[data-refusal]')) await discardDraft(place, tab);
}

// Whoever saved is led to a page of its own: a page that is itself the answer to a post (it says so with its
// status) shows the form instead of having saved it. What stands there is unsaved, whatever the form was
// drawn with.
function holdRefused() {
  const status = Number(document.documentElement.dataset.posted);
  if (!status) return;
  const forms = watchedForms();
  const isFor = ({ action }) => new URL(action, location.href).pathname === location.pathname;
  const form =
    forms.find((one) => placeOf(one) === posted[0]) ?? (status >= 400 ? forms.find(isFor) : undefined);
  if (!form || form.dataset.refused !== undefined) return;
  form.dataset.refused = '';
  if (status >= 400) showFailure(form, reasonOf(form, status));
  measure(form);
}

// Asks for the drafts of the forms that stand on the page, or that a control of it would open.
async function offer() {
  const forms = watchedForms().filter((form) => !hasOwnAddress(form));
  const openers = findAll('[data-draft-place]').map(({ dataset }) => dataset.draftPlace);
  const places = [...new Set([...forms.map(placeOf), ...openers])].filter((place) => !asked.has(place));
  if (places.length === 0) return;
  for (const place of places) asked.add(place);
  const query = new URLSearchParams(places.map((place) => ['place', place]));
  const headers = { 'HX-Request': 'true', 'HX-Request-Type': 'partial' };
  const answer = await fetch(`/account/drafts?${query}`, { headers }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const holder = make('template', { innerHTML: await answer.text() });
  for (const banner of findAll('[data-draft-of]', holder.content)) place(banner);
}

function isPosted({ dataset: { draftOf, tab } }) {
  return posted[0] === draftOf && posted[1] === tab;
}

function formOf(banner) {
  return watchedForms().find((form) => placeOf(form) === banner.dataset.draftOf);
}

function openerOf(banner) {
  return findAll('[data-draft-place]').find(({ dataset }) => dataset.draftPlace === banner.dataset.draftOf);
}

function place(banner) {
  const form = formOf(banner);
  const isSaid = form && says(banner, form);
  // What was refused stands in its form, or where both sides changed it beside that. It goes on as its draft.
  const isOfRefused = form?.dataset.refused !== undefined && isPosted(banner);
  if (isOfRefused || (isSaid && (reopens(form) || isUnsaved(form)))) {
    form.dataset.draftTab = banner.dataset.tab;
    return;
  }
  if (isSaid) {
    discardDraft(banner.dataset.draftOf, banner.dataset.tab);
    return;
  }
  const anchor = form ?? openerOf(banner)?.closest('details, section, form');
  anchor?.before(document.importNode(banner, true));
}

function typed(banner) {
  return findAll('[data-field]', find('template', banner).content).map(({ dataset }) => dataset);
}

// Whether the form holds what the draft says.
function says(banner, form) {
  const values = valuesOf(banner);
  return fields(form).every((control) => current(control) === wanted(control, values));
}

function valuesOf(banner) {
  const values = new Map();
  for (const { field, value } of typed(banner)) values.set(field, [...(values.get(field) ?? []), value]);
  return values;
}

// What a control holds by the draft; what the draft does not speak of stays.
function wanted(control, values) {
  const own = values.get(control.name);
  if (isTick(control)) return String(own?.includes(control.value) ?? false);
  return own ? plain(own[0]) : current(control);
}

document.addEventListener('click', (event) => {
  const banner = around(event, '[data-draft-of]');
  if (!banner) return;
  if (around(event, '[data-draft-restore]')) restore(banner);
  else if (around(event, '[data-draft-discard]')) {
    discardDraft(banner.dataset.draftOf, banner.dataset.tab);
    banner.remove();
  }
});

// A form whose rows come and go cannot be filled in where it stands: it is posted as the draft says, and
// comes back with its rows.
function reopens(form) {
  return form.dataset.draftReopens !== undefined;
}

function reopen(form, banner) {
  const whole = make('form', { method: 'post', action: form.action, hidden: true });
  for (const { field, value } of typed(banner)) {
    whole.append(make('input', { type: 'hidden', name: field, value }));
  }
  document.body.append(whole);
  whole.submit();
}

function restore(banner) {
  const form = formOf(banner);
  if (form && reopens(form)) reopen(form, banner);
  else if (form) fill(form, banner);
  else openThen(openerOf(banner), () => restore(banner));
}

// The form comes by htmx; the draft waits for it.
function openThen(opener, next) {
  if (!opener) return;
  const settled = () => setTimeout(next, 0);
  document.addEventListener('htmx:after:settle', settled, { once: true });
  opener.click();
}

function fill(form, banner) {
  const values = valuesOf(banner);
  for (const control of fields(form)) {
    const value = wanted(control, values);
    if (value === rendered(control)) continue;
    control.dataset.initial = rendered(control);
    show(control, value);
    control.dispatchEvent(new Event('input', { bubbles: true }));
  }
  startFrom(form, values);
  form.dataset.draftTab = banner.dataset.tab;
  banner.remove();
  if (form === guardedForm()) measure(form);
  fields(form)[0]?.focus();
}

// The draft started from the versions that its page showed: what others saved since is a conflict, and no
// field of theirs is overwritten unseen.
function startFrom(form, values) {
  for (const [name, [value]] of values) {
    if (name !== 'version' && !name.startsWith('base.')) continue;
    const own = form.elements.namedItem(name);
    if (own) own.value = value;
    else form.append(make('input', { type: 'hidden', name, value }));
  }
}

// A loose form tells by htmx that it was taken.
document.addEventListener('htmx:after:request', ({ detail: { ctx } }) => {
  const form = ctx.sourceElement?.closest?.('form');
  if (isWatched(form) && !hasOwnAddress(form) && ctx.request.method !== 'GET' && ctx.response.status < 400) {
    discardDraft(placeOf(form), tabOf(form));
  }
});

document.addEventListener('htmx:after:settle', () => offer());
addEventListener('DOMContentLoaded', start);
addEventListener('pageshow', (event) => {
  if (event.persisted) start();
});

async function start() {
  await settleSent();
  holdRefused();
  await offer();
}
