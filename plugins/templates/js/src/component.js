// The entry of the component, and the only file that imports what only a host has. An interface that is added here is also
// added to wit/world.wit.
import * as log from 'toolhatch:plugin/log@0.1.0';
import * as progress from 'toolhatch:plugin/progress@0.1.0';
import * as random from 'wasi:random/random@0.2.12';
import { connect } from '../vendor/toolhatch-plugin.js';

connect({ log, progress, random });

export { tools } from './plugin.js';
