import { auth, isHalf, tidyAddress } from './identity.js';
import { showOne } from './one.js';
import { showSplit } from './split.js';

document.documentElement.classList.toggle('half', isHalf);
document.documentElement.dataset['auth'] = auth;
tidyAddress();
if (new URLSearchParams(location.search).has('split')) showSplit();
else showOne();
