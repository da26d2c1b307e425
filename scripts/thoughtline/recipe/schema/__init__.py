"""The models of a recipe's keys, one module a stage; `recipe.Recipe` is the whole."""
