// The entry: styles, then the frame around all pages.

import { mount } from 'svelte';
import App from './App.svelte';
import './theme.css';

mount(App, { target: document.body });
