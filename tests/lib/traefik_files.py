#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads files as Traefik's file provider does, and shows them as its API does. It routes nothing.

    traefik_files.py FOLDER API-PORT NAME=ADDRESS…

Debian has no Traefik. What is held to here is its documentation: which keys the dynamic configuration has (a file with another is refused
and the configuration before stays, as Traefik does), that routers and weighted services name services that there are, that only
*.yml and *.yaml in the folder are read, and how /api/rawdata, /api/entrypoints and /api/version look (Traefik 3.2).
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHAPES = {
    'router': {'rule': str, 'service': str, 'middlewares': [str], 'entryPoints': [str], 'priority': int, 'tls': dict},
    'server': {'url': str, 'weight': int, 'preservePath': bool},
    'cookie': {'name': str, 'secure': bool, 'httpOnly': bool, 'sameSite': str, 'maxAge': int, 'path': str},
    'sticky': {'cookie': 'cookie'},
    'child': {'name': str, 'weight': int},
    'loadBalancer': {'servers': ['server'], 'sticky': 'sticky', 'passHostHeader': bool, 'healthCheck': dict,
                     'serversTransport': str, 'responseForwarding': dict},
    'weighted': {'services': ['child'], 'sticky': 'sticky', 'healthCheck': dict},
    'service': {'loadBalancer': 'loadBalancer', 'weighted': 'weighted'},
    'retry': {'attempts': int, 'initialInterval': str},
    'middleware': {'retry': 'retry'},
    'http': {'routers': {'*': 'router'}, 'services': {'*': 'service'}, 'middlewares': {'*': 'middleware'}},
    'file': {'http': 'http', 'tcp': dict, 'udp': dict, 'tls': dict},
}


def check(value, shape, where):
    """The value has the shape, and no key that Traefik does not know."""
    if isinstance(shape, str):
        shape = SHAPES[shape]
    if isinstance(shape, type):
        if type(value) is not shape:
            raise ValueError(f'{where}: not a {shape.__name__}')
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(f'{where}: not a list')
        for i, item in enumerate(value):
            check(item, shape[0], f'{where}[{i}]')
    else:
        if not isinstance(value, dict):
            raise ValueError(f'{where}: not a map')
        for key, item in value.items():
            if '*' not in shape and key not in shape:
                raise ValueError(f'{where}: field not found, node: {key}')
            if '@' in key:
                raise ValueError(f'{where}: @ in a name')
            check(item, shape.get(key, shape.get('*')), f'{where}.{key}')


def read(folder):
    merged = {'routers': {}, 'services': {}, 'middlewares': {}}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(('.yml', '.yaml')):
            continue
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            text = file.read()
        # Ours are JSON below a comment, which is YAML.
        text = '\n'.join(line for line in text.split('\n') if not line.startswith('#'))
        config = json.loads(text)
        check(config, 'file', name)
        for kind, entries in config.get('http', {}).items():
            merged[kind].update(entries)
    return merged


def shown(config, entry_points):
    out = {'routers': {}, 'services': {}, 'middlewares': {}}
    for name, service in config['services'].items():
        error = [f'the service "{child["name"]}@file" does not exist'
                 for child in service.get('weighted', {}).get('services', []) if child['name'] not in config['services']]
        out['services'][name + '@file'] = {**service, 'status': 'disabled' if error else 'enabled', **({'error': error} if error else {})}
        if 'loadBalancer' in service:
            out['services'][name + '@file']['serverStatus'] = {s['url']: 'UP' for s in service['loadBalancer']['servers']}
    for name, router in config['routers'].items():
        error = []
        if router['service'] not in config['services']:
            error.append(f'the service "{router["service"]}@file" does not exist')
        error += [f'middleware "{m}@file" does not exist' for m in router.get('middlewares', []) if m not in config['middlewares']]
        error += [f'entryPoint "{e}" doesn\'t exist' for e in router.get('entryPoints', []) if e not in entry_points]
        out['routers'][name + '@file'] = {'entryPoints': list(entry_points), **router, 'status': 'disabled' if error else 'enabled',
                                          'using': list(entry_points), **({'error': error} if error else {})}
    for name, middleware in config['middlewares'].items():
        out['middlewares'][name + '@file'] = {**middleware, 'status': 'enabled'}
    return out


def main():
    folder, port = sys.argv[1], int(sys.argv[2])
    entry_points = dict(word.split('=', 1) for word in sys.argv[3:])
    state = {'rawdata': shown({'routers': {}, 'services': {}, 'middlewares': {}}, entry_points)}

    def watch():
        while True:
            try:
                state['rawdata'] = shown(read(folder), entry_points)
            except (ValueError, KeyError, OSError) as error:
                print(f'not taken: {error}', flush=True)
            time.sleep(0.1)

    class Api(BaseHTTPRequestHandler):
        def do_GET(self):
            answers = {
                '/api/rawdata': state['rawdata'],
                '/api/entrypoints': [{'address': address, 'name': name, 'transport': {}} for name, address in entry_points.items()],
                '/api/version': {'Version': '3.2.0', 'Codename': 'munster', 'startDate': '2026-01-01T00:00:00Z'},
            }
            body = json.dumps(answers.get(self.path, {})).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    threading.Thread(target=watch, daemon=True).start()
    ThreadingHTTPServer(('127.0.0.1', port), Api).serve_forever()


main()
