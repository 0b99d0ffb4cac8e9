// Warns two minutes before the session ends for want of use, and leads to the sign-in when it has ended. The
// server knows when that is: another tab may have been in use. Where that would lose what is typed, the page
// stays, says so, and opens the sign-in in another tab. Pages without a session have no #idle.
import { watchedForms, isUnsaved } from './changes.js';
import { find } from './dom.js';
import { showSignedOut } from './state.js';

// All in seconds. The warning begins a little early, so that it never says less than two minutes at first.
const WARNED = 120;
const WARNING_FROM = WARNED + 5;
const REST_AT_FIRST = 60;
const REST_AT_MOST = 600;
const REST_WHILE_WARNING = 15;
const REST_WHEN_UNREACHABLE = 15;

// As a part of this page: the answer to who is signed out leads back here.
const PARTIAL = { 'HX-Request': 'true', 'HX-Request-Type': 'partial' };

const box = find('#idle');
const text = find('#idle-text');
const signIn = find('#idle-sign-in');
const stayButton = find('#idle button');
let timer = 0;
let isSignedOut = false;

if (box) {
  box.addEventListener('submit', stay);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) watch();
  });
  addEventListener('focus', () => {
    if (isSignedOut) watch();
  });
  // Whoever first learns of it: a draft, a save, or any other part of the page.
  document.addEventListener('tyrian:signed-out', ({ detail }) => leaveFor(detail.gate));
  document.addEventListener('htmx:after:request', stayHere);
  watchIn(REST_AT_FIRST);
}

// A request that leads to the sign-in would take the page with it.
function stayHere(event) {
  const { response, hx } = event.detail.ctx;
  if (response.status !== 401 || !hx.redirect || mayLeave()) return;
  event.preventDefault();
  showGate(hx.redirect);
}

async function stay(event) {
  event.preventDefault();
  await fetch('/account/stay', { method: 'POST' });
  watch();
}

function watchIn(seconds) {
  timer = setTimeout(watch, seconds * 1000);
}

async function watch() {
  clearTimeout(timer);
  const answer = await fetch('/account/idle', { headers: PARTIAL }).catch(() => null);
  if (answer?.status === 401) {
    leaveFor(answer.headers.get('HX-Redirect'));
  } else if (answer?.ok) {
    const { left } = await answer.json();
    if (isSignedOut) welcomeBack();
    warn(left);
  } else {
    watchIn(REST_WHEN_UNREACHABLE);
  }
}

function warn(left) {
  if (left > WARNING_FROM) {
    tell('');
    watchIn(Math.min(left - WARNED, REST_AT_MOST));
  } else {
    const time = left < 100 ? `${left} seconds` : `${Math.round(left / 60)} minutes`;
    tell(`Nothing happened here for a while. You will be signed out in ${time}.`);
    watchIn(Math.min(left + 1, REST_WHILE_WARNING));
  }
}

// `gate` is where to sign in, or whatever is asked for first; it leads back here.
function leaveFor(gate) {
  if (mayLeave()) location.href = gate;
  else showGate(gate);
}

function showGate(gate) {
  isSignedOut = true;
  for (const form of watchedForms()) if (isUnsaved(form)) showSignedOut(form, gate);
  signIn.href = gate;
  signIn.hidden = false;
  stayButton.hidden = true;
  const isSignIn = gate.startsWith('/sign-in');
  tell(
    isSignIn
      ? 'You are signed out. What you typed is still here: sign in in another tab, then save.'
      : 'This asks for a proof first. What you typed is still here: give it in another tab, then save.',
  );
}

function welcomeBack() {
  isSignedOut = false;
  signIn.hidden = true;
  stayButton.hidden = false;
  tell('');
  document.dispatchEvent(new CustomEvent('tyrian:signed-in'));
}

// guard.js says no when something would be lost.
function mayLeave() {
  return document.dispatchEvent(new CustomEvent('tyrian:leave', { cancelable: true }));
}

// No words take the warning away.
function tell(words) {
  text.textContent = words;
  if (!words) box.close();
  else if (!box.open) box.showModal();
}
