"""What moves the pixels: generators of steps over an evaluator, one interface for all.

Called with (evaluator, x, optimizer, preprocessing, start, state), each yields an OptimizerResult per iteration,
without end, from the picture x (H, W, 3). `optimizer` is the settings' table, `start` counts the iterations before,
which decides the draws of the jitter, and `state` is that of the step before, where there was one.
"""

from dreamscripts.optimizers.adam import adam
from dreamscripts.optimizers.gradient_ascent import gradient_ascent
from dreamscripts.optimizers.lbfgs_scipy import lbfgs

OPTIMIZERS = {"lbfgs": lbfgs, "gradient_ascent": gradient_ascent, "adam": adam}
