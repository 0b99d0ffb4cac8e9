'use strict';
// Warns two minutes before the session ends for want of use, and leads to the sign-in when it has ended. The server knows
// when that is: another tab may have been in use.
(() => {
  const box = document.querySelector('#idle'), text = document.querySelector('#idle-text');
  if (!box) return;
  let timer = 0;
  const tell = (words) => { text.textContent = words; if (!words) box.close(); else if (!box.open) box.showModal(); };
  const leave = () => document.dispatchEvent(new CustomEvent('tyrian:leave', { cancelable: true }));
  const watch = async () => {
    clearTimeout(timer);
    const answer = await fetch('/account/idle', { headers: { 'HX-Request': 'true' } }).catch(() => null);
    if (answer?.status === 401) {
      if (leave()) location = '/sign-in?' + new URLSearchParams({ next: location.pathname + location.search });
      else tell('You are signed out. What you typed is still here: sign in in another tab, then save.');
      return;
    }
    const left = answer?.ok ? (await answer.json()).left : 60;
    if (left > 125) tell('');
    else if (answer?.ok) tell(`Nothing happened here for a while. You will be signed out in ${left < 100 ? left + ' seconds' : Math.round(left / 60) + ' minutes'}.`);
    timer = setTimeout(watch, 1000 * (left > 125 ? Math.min(left - 120, 600) : Math.min(left + 1, 15)));
  };
  box.addEventListener('submit', async (e) => {
    e.preventDefault();
    await fetch('/account/stay', { method: 'POST' });
    watch();
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) watch(); });
  timer = setTimeout(watch, 60000);
})();
