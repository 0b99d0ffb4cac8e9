// The entry. Pages work as plain HTML first; every module here only adds to them.
//
// Listeners sit on the document and find their elements by data attributes, so they outlive every swap of a
// part. They stand before htmx starts: layout.html names this module above htmx, and module scripts and
// deferred scripts run in the order of the document. Behind htmx they would race with its start, which it
// puts off by a timer only, and with the first requests that parts of a page send by themselves.
import './guard.js';
import './offers.js';
import './saving.js';
import './answers.js';
import './focus.js';
import './anchors.js';
import './keyboard.js';
import './inline.js';
import './now.js';
import './paste.js';
import './network.js';
import './copy.js';
import './definitions.js';
import './bar.js';
import './order.js';
import './files.js';
import './reveal.js';
import './tags.js';
import './ticks.js';
import './session.js';
import './print.js';
import './drawer.js';
import './today.js';
import { measure } from './changes.js';
import { markTab } from './drafts.js';

// Style sheets show by it what is of no use without scripts.
document.documentElement.dataset.scripts = '';
markTab();
measure();
