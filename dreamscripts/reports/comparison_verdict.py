"""Describe the results of a comparison in sentences."""

from dreamscripts.dreams.comparison import Comparison


def verdict(comparison: Comparison) -> list[str]:
    """Return the results in sentences."""
    first, *others = comparison.best
    drop = comparison.start_loss - first.loss
    sentences = [
        f"After {comparison.passes} passes, the lowest final loss is {format_loss(first.loss)} ({first.name}). "
        f"The loss of the start picture is {format_loss(comparison.start_loss)}."
    ]
    for other in others:
        part = (comparison.start_loss - other.loss) / drop if drop > 0 else 0.0
        sentence = f"{other.name}: the final loss is {format_loss(other.loss)}. "
        sentence += f"Its decrease is {part:.0%} of the decrease with {first.title}."
        if reached := first.reaches(other.passes[-1].lowest):
            sentence += f" {capitalize(first.title)} reached the lowest loss of {other.title} after {reached} passes."
        sentences.append(sentence)
    costliest = max(comparison.best, key=lambda trial: trial.overhead)
    sentences.append(
        f"{costliest.title} spends the largest share of its time outside the passes: {costliest.overhead:.0%}."
    )
    for trial in comparison.trials:
        if trial.ended_by:
            sentences.append(f"{trial.name}: ended early, because {trial.ended_by}.")
    return [capitalize(sentence) for sentence in sentences]


def capitalize(text: str) -> str:
    """Return the text with a capital first letter and all other letters unchanged."""
    return text[0].upper() + text[1:]


def format_loss(value: float) -> str:
    """Format a loss with four digits, or as a whole number from 1,000."""
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")
