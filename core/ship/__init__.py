"""A trained model in a form that runs elsewhere, with everything that is needed to ask and to judge it."""
