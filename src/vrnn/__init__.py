"""VRNN Lab: variational recurrent networks on stochastic pen traces, scored against the truth."""
