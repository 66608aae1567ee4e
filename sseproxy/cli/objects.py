"""`sseproxy objects …`: tools for stored objects."""

import typer

from sseproxy.cli.examples import example
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
app.command(epilog=example("objects inspect --bucket photos --key a/b.jpg --config FILE"))(inspect)
app.command(epilog=example("objects unseal downloaded --bucket photos --key a/b.jpg -o b.jpg --config FILE"))(unseal)
app.command(epilog=example("objects verify --bucket photos --report verified.jsonl --config FILE"))(verify)
app.command(epilog=example("objects inventory --bucket photos --csv photos.csv --config FILE"))(inventory)
app.command(epilog=example("objects migrate --bucket photos --report photos.jsonl --config FILE"))(migrate)
app.command(epilog=example("objects rewrap --bucket photos --to-key alias/new --config FILE"))(rewrap)
app.command(epilog=example("objects repair --bucket photos --dry-run --config FILE"))(repair)
app.command(epilog=example("objects sweep --older-than 48 --config FILE"))(sweep)
