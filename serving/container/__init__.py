"""The official TensorFlow Serving container: image, compose files, Kubernetes, TLS, monitoring."""
