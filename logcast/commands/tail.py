"""Print the events of a topic as JSON lines."""

from typing import TYPE_CHECKING

import click

from logcast.errors import LogcastError

if TYPE_CHECKING:
    from schemas.topics import Topic


def _topic(name: str) -> "Topic":
    from schemas.topics import ALL_TOPICS

    decodable = {topic.name: topic for topic in ALL_TOPICS if topic.events}
    if name not in decodable:
        raise click.BadParameter(f"no topic {name}; choose from {', '.join(decodable)}")
    return decodable[name]


@click.command("tail")
@click.argument("topic")
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest event, not with the next.")
@click.option("--until-end", is_flag=True, help="Stop at what is the end now.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many events.")
def command(topic: str, from_beginning: bool, until_end: bool, count: int | None) -> None:
    """Print the events of TOPIC, one JSON object a line, with topic, partition, offset and Kafka's time. Ctrl-C ends it.

    Bytes longer than 32 are shown as their length.
    """
    import orjson

    from consumers.tail import tail
    from stores.kafka import LogError
    from stores.settings import load_settings

    try:
        for line in tail(
            load_settings(), _topic(topic), from_beginning=from_beginning, until_end=until_end, count=count
        ):
            click.echo(orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS))
    except LogError as error:
        raise LogcastError(str(error)) from error
    except (KeyboardInterrupt, BrokenPipeError):
        return
