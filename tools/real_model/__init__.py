"""The product on a real model that runs on this machine: a demo, and a page of evidence."""
