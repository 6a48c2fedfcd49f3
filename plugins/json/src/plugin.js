import { plugin } from '../../sdk-js/toolhatch-plugin.js';
import query from './query.js';
import transform from './transform.js';
import validate from './validate.js';

export const { tools } = plugin({ query, transform, validate });
