"""The whole road: ROOT towers -> images -> network -> JSON -> the same score from C++.

Runs on the bundled Delphes sample in about a minute; give two ROOT files of your own to use those instead:

    python examples/quickstart.py [signal.root background.root]
"""

# %% What goes in
import sys
from pathlib import Path

import numpy as np

import hepml
from hepml.demo import sample_file

files = sys.argv[1:] or [sample_file("electrons"), sample_file("jets")]
if len(files) != 2:
    sys.exit("give two ROOT files, signal and background, or none")
signal, background = files
out = Path("quickstart")
out.mkdir(exist_ok=True)

# %% One file, by hand: events -> candidates -> images -> high-level variables
events = hepml.open_events(signal)
candidates = hepml.select_candidates(events)
images = hepml.make_images(candidates)
variables = hepml.high_level(images)
print(f"{len(events)} events, {len(variables)} candidates; cut flow: {candidates.cut_flow}")
print("ECal images", images.ecal_et.shape, "HCal images", images.hcal_et.shape)
print(dict(zip(hepml.FEATURE_NAMES, variables.mean(axis=0).round(4).tolist(), strict=True)))

# %% Both samples into one data file: raw values, splits, scaling, provenance
from hepml.dataset import convert  # noqa: E402

data = out / "data.h5"
convert(signal, background, data, overwrite=True)

# %% Train on the seven variables (swap in "et_and_ht" for the CNN on both calorimeters)
run = hepml.train(data, features="hl", output=out / "hl", epochs=40, overwrite=True)

# %% How good is it, on events that it never saw?
from hepml.evaluation import evaluate  # noqa: E402

result = evaluate(run, data)
print(f"AUC {result.auc.value:.4f} +- {result.auc.error:.4f}")

# %% Write the network for C++; the export is verified against Keras before it appears
hepml.export_model(run.model, out / "net.json", inputs=run.inputs, overwrite=True)

# %% The C++ evaluator gives the same score, event by event
evaluator = hepml.Evaluator(out / "net.json")
(test,), labels = hepml.load_combined_data("hl", "test", unscaled=True, path=data)
scores = evaluator({"hl": test})["output"][:, 0]
keras_scores = run.model.predict(test, verbose=0)[:, 0]
print(f"signal {scores[labels == 1].mean():.3f}, background {scores[labels == 0].mean():.3f}")
print(f"largest difference between C++ and Keras: {np.abs(scores - keras_scores).max():.1e}")
