// Warns two minutes before the session ends for want of use, and leads to the sign-in when it has ended. The
// server knows when that is: another tab may have been in use. Pages without a session have no #idle.
import { find } from './dom.js';

// All in seconds. The warning begins a little early, so that it never says less than two minutes at first.
const WARNED = 120;
const WARNING_FROM = WARNED + 5;
const REST_AT_FIRST = 60;
const REST_AT_MOST = 600;
const REST_WHILE_WARNING = 15;
const REST_WHEN_UNREACHABLE = 15;

const box = find('#idle');
const text = find('#idle-text');
let timer = 0;

if (box) {
  box.addEventListener('submit', stay);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) watch();
  });
  watchIn(REST_AT_FIRST);
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
  const answer = await fetch('/account/idle', { headers: { 'HX-Request': 'true' } }).catch(() => null);
  if (answer?.status === 401) {
    goToSignIn();
  } else if (answer?.ok) {
    const { left } = await answer.json();
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

function goToSignIn() {
  if (mayLeave()) {
    const next = location.pathname + location.search;
    location.href = `/sign-in?${new URLSearchParams({ next })}`;
  } else {
    tell('You are signed out. What you typed is still here: sign in in another tab, then save.');
  }
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
