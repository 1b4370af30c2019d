import pytest

from dreamscripts.scripts.wrong_arguments import explain

COMMANDS = ("dream", "batch", "settings")


@pytest.mark.parametrize(
    ("complaint", "arguments", "explained"),
    [
        ("No such command 'drem'.", "drem x.jpg", "there is no command 'drem' (did you mean 'dream'?); `dream"),
        ("No such command 'drem'. Did you mean 'dream'?", "drem", "there is no command 'drem' (did you mean 'dream'?)"),
        ("No such command 'xyz'.", "xyz", "there is no command 'xyz'; `dreamscripts --help` lists all"),
        ("No such command 'bad_trip'.", "bad_trip", "'bad_trip' is no command; to dream with these settings: dream"),
        ("No such command 'a b.JPG'.", "x", "the command is missing; use: dreamscripts dream 'a b.JPG'"),
        (
            "No such command 'bad_trip'.",
            "settings bad_trip",
            "settings has no command 'bad_trip'; use: dreamscripts s",
        ),
        ("No such command 'mine.toml'.", "settings mine.toml", "settings has no command 'mine.toml'; use: dreamscript"),
        ("No such command 'list'.", "settings list", "settings has no command 'list'; use `show` or `new`"),
        ("No such option: --optimizer", "dream x.jpg --optimizer adam", "use --set optimizer.name=adam"),
        ("No such option: --max-change", "dream --max-change=5", "use --set optimizer.max_change=5"),
        ("No such option: --clip", "dream a.jpg --clip", "use --set optimizer.clip=VALUE"),
        ("No such option: --passes", "batch x --passes -i 3", "use --set optimizer.passes=VALUE"),
        ("No such option: --passes", "layers --passes 3", "layers has no option --passes"),
        (
            "No such option: --sise (Possible options: --seed, --set, --size)",
            "dream --sise 3",
            "dream has no option --sise (did you mean '--size'?)",
        ),
        ("No such option: --sise Did you mean --size?", "dream --sise 3", "(did you mean '--size'?)"),
        ("Option '--size' requires an argument.", "dream --size", "--size needs a value"),
        ("Missing argument 'NAME'.", "settings show", "NAME is missing; `dreamscripts settings --help` shows"),
        ("Invalid value for '--size': Input should be a valid integer", "dream", "--size: should be a whole number"),
        ("Got unexpected extra argument (b.jpg)", "dream a.jpg b.jpg", "dream takes one picture, so b.jpg is too much"),
        ("Got unexpected extra argument(s) (b c)", "layers a b c", "layers: too many arguments; remove b c"),
        ("Something\n  else", "dream", "Something else"),
    ],
)
def test_it_says_what_to_write_instead(complaint, arguments, explained):
    found = explain(complaint, arguments.split(), COMMANDS)
    assert explained in found
    assert "\n" not in found
