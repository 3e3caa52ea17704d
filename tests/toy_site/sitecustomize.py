"""On PYTHONPATH of the programs that integration tests start: gives them the toy objective."""

import toy_objective

toy_objective.register()
