"""`sseproxy objects …`: tools for stored objects."""

import typer

from sseproxy.cli.objects_inspect import inspect
from sseproxy.cli.objects_inventory import inventory
from sseproxy.cli.objects_migrate import migrate
from sseproxy.cli.objects_repair import repair
from sseproxy.cli.objects_rewrap import rewrap
from sseproxy.cli.objects_sweep import sweep
from sseproxy.cli.objects_unseal import unseal
from sseproxy.cli.objects_verify import verify

app = typer.Typer(
    name="objects",
    help="Look after stored objects: migrate, rewrap, verify, inventory, inspect, unseal, repair, sweep.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(inspect)
app.command()(unseal)
app.command()(verify)
app.command()(inventory)
app.command()(migrate)
app.command()(rewrap)
app.command()(repair)
app.command()(sweep)
