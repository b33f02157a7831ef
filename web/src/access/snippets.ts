// What one writes where, so that a machine shows its new token.

import type { Scope } from '../api/access';

export interface Snippet {
  name: string;
  /** Where it goes. */
  place: string;
  text: string;
}

/** Ready-made pieces for a token, the most likely first; `base` is where the program answers, with a slash at its end. */
export function snippets(token: string, scope: Scope, base: string): Snippet[] {
  const remoteWrite = {
    name: 'Prometheus',
    place: 'in prometheus.yml',
    text: `remote_write:
  - url: ${base}api/v1/write
    authorization:
      credentials: ${token}`,
  };
  const grafana = {
    name: 'Grafana',
    place: 'a file in provisioning/datasources',
    text: `apiVersion: 1
datasources:
  - name: Campanile
    type: prometheus
    access: proxy
    url: ${base.slice(0, -1)}
    jsonData:
      httpMethod: POST
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: Bearer ${token}`,
  };
  const write = {
    name: 'curl',
    place: 'in a shell',
    text: `curl -H 'Authorization: Bearer ${token}' \\
  -H 'Content-Type: application/json' \\
  -d '{"name":"orders_total","type":"counter","value":42}' \\
  '${base}api/v1/metrics/ingest'`,
  };
  const read = {
    name: 'curl',
    place: 'in a shell',
    text: `curl -H 'Authorization: Bearer ${token}' \\
  '${base}api/v1/query?query=up'`,
  };
  switch (scope) {
    case 'ingest':
      return [remoteWrite, write];
    case 'query':
    case 'viewer':
      return [grafana, read];
    default:
      return [read, remoteWrite, grafana];
  }
}
