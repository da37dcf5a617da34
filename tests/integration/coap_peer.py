"""The other end of CoAP by a library that is not the daemon's (aiocoap): run as a program of its own.

  coap_peer.py serve PORT       a device with an observable resource /vitals; each line on stdin is its next state
  coap_peer.py send URI FORMAT  each line on stdin is sent by POST; its answer's code and text are a line on stdout"""

import asyncio
import sys

import aiocoap
from aiocoap import resource


class Vitals(resource.ObservableResource):
    def __init__(self):
        super().__init__()
        self.state = b"[]"

    async def render_get(self, request):
        print("asked", request.opt.observe, flush=True)
        return aiocoap.Message(payload=self.state, content_format=110, max_age=3600)


async def lines():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.rstrip(b"\n")


async def serve(port):
    vitals, site = Vitals(), resource.Site()
    site.add_resource(["vitals"], vitals)
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port))
    print("ready", flush=True)
    async for line in lines():
        vitals.state = line
        vitals.updated_state()


async def send(uri, form):
    context = await aiocoap.Context.create_client_context()
    async for line in lines():
        request = aiocoap.Message(code=aiocoap.POST, uri=uri, payload=line, content_format=form)
        answer = await context.request(request).response
        print(answer.code.dotted, answer.payload.decode(), flush=True)


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2])))
else:
    asyncio.run(send(sys.argv[2], int(sys.argv[3])))
