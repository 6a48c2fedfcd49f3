// The entry of the component, and the only file that imports what only a host has.
import * as log from 'toolhatch:plugin/log@0.1.0';
import * as preopens from 'wasi:filesystem/preopens@0.2.12';
import { connect } from '../../sdk-js/toolhatch-plugin.js';

connect({ log, preopens });

export { tools } from './plugin.js';
