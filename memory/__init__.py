"""All that is remembered: protocols and pure codecs here, one folder for each kind of server.

Knows nothing of graphs, tools or HTTP.
"""
