"""The extras that README's commands install are there and work."""

import numpy as np


def test_energyflow_gives_the_value_of_the_definition() -> None:
    import energyflow

    # two constituents: z = 0.6 and 0.4, distance 0.3; EFP of one edge = 2 z1 z2 theta
    graph = energyflow.EFP([(0, 1)], measure="hadr", beta=1, kappa=1, normed=False)
    event = np.array([[0.6, 0.0, 0.0], [0.4, 0.3, 0.0]])
    np.testing.assert_allclose(graph.compute(event), 0.144, rtol=1e-12)
