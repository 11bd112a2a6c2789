"""The TFDS dataset `remc`: one folder that also works on its own as `tfds build remc`."""
