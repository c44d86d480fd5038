"""Gradients of neural networks: loading, capturing, and Gram matrices of them.

Nothing here knows of scikit-learn.
"""
