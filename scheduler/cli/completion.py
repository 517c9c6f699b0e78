"""`scheduler completion`: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion of SHELL.

    \b
    bash  eval "$(scheduler completion bash)"                               in ~/.bashrc
    zsh   eval "$(scheduler completion zsh)"                                in ~/.zshrc
    fish  scheduler completion fish > ~/.config/fish/completions/scheduler.fish
    """
    source = get_completion_class(shell)
    assert source is not None
    click.echo(source(context.find_root().command, {}, "scheduler", "_SCHEDULER_COMPLETE").source())
