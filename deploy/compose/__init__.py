"""A stack in containers: what it needs beside its images."""
