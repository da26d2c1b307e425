"""A small service that speaks the OpenAI protocol, in a judge's place."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service(ThreadingHTTPServer):
    """Answers with what `script(messages)` returns: a text, or a text and its finish reason.

    `asked` holds the requests; it is dead once it has answered `dies_after`.
    """

    daemon_threads = True

    def __init__(self, script):
        self.asked, self.script, self.dies_after = [], script, None
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def dead(self):
        return self.server.dies_after is not None and len(self.server.asked) >= self.server.dies_after

    def do_GET(self):
        if not self.dead():
            self.reply({"data": []})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.dead():
            return
        self.server.asked.append(body)
        text = self.server.script(body["messages"])
        text, reason = text if isinstance(text, tuple) else (text, "stop")
        self.reply({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": reason}]})

    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass
