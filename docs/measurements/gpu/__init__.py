# SPDX-License-Identifier: Apache-2.0
"""What measure_cuda.py is made of; README.md beside this file says which file owns what."""
