"""The results of a comparison in sentences."""

from dreamscripts.dreams.comparison import Comparison


def verdict(comparison: Comparison) -> list[str]:
    """Sum up the results in sentences."""
    first, *others = comparison.best
    drop = comparison.start_loss - first.loss
    sentences = [
        f"After {comparison.passes} passes each, {first.name} has the lowest loss: {format_loss(first.loss)}, "
        f"from {format_loss(comparison.start_loss)} at the start."
    ]
    for other in others:
        part = (comparison.start_loss - other.loss) / drop if drop > 0 else 0.0
        sentence = f"{other.name} comes to {format_loss(other.loss)}, {part:.0%} of that drop"
        if reached := first.reaches(other.passes[-1].lowest):
            sentence += f"; {first.title} was as low after {reached} passes."
        else:
            sentence += "."
        sentences.append(sentence)
    costliest = max(comparison.best, key=lambda trial: trial.overhead)
    sentences.append(f"Outside the passes, {costliest.title} costs the most: {costliest.overhead:.0%} of its time.")
    for trial in comparison.trials:
        if trial.ended_by:
            sentences.append(f"{trial.name} ended early: {trial.ended_by}.")
    return [capitalize(sentence) for sentence in sentences]


def capitalize(text: str) -> str:
    return text[0].upper() + text[1:]


def format_loss(value: float) -> str:
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")
