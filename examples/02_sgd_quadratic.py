"""Lesson 2: gradient descent by hand. Find the curve through a roller coaster's speed, three numbers at a time.

python examples/02_sgd_quadratic.py
"""

from __future__ import annotations

from vivace.vision.all import *

set_seed(42)

# The speed at each second: fast, slow on the hump, fast again; and a measurement is never exact.
time = torch.arange(0, 20).float()
speed = torch.randn(20) + 0.75 * (time - 9.5) ** 2 + 1


def quadratic(t: torch.Tensor, params: torch.Tensor) -> torch.Tensor:
    """The curve: a t² + b t + c, with time scaled so that its three parameters are of one size."""
    a, b, c = params
    t = (t - 9.5) / 10
    return a * t**2 + b * t + c


# 1. Start anywhere.
params = torch.randn(3).requires_grad_()
learning_rate = 0.5


def step() -> float:
    """One step downhill; gives back the loss it started from."""
    predictions = quadratic(time, params)  # 2. predict
    loss = F.mse_loss(predictions, speed)  # 3. how wrong?
    loss.backward()  # 4. which way is down, for each parameter?
    with torch.no_grad():
        params.sub_(learning_rate * params.grad)  # 5. step that way
    params.grad = None
    return loss.item()


# 6. Again, until it no longer helps.
for i in range(200):
    loss = step()
    if i % 40 == 0:
        print(f"step {i:3d}  loss {loss:8.3f}")

a, b, c = params.tolist()
print(f"found a={a:.2f} b={b:.2f} c={c:.2f}; the speeds were made with a=75, b=0, c=1 and noise of about 1")
print(f"final loss {step():.3f}")
