"""The networks of a first run: the demo's, for minutes on a laptop. tests/app/start compares the two."""

SMALL = """\
# The demo's networks and numbers of steps, for minutes on a CPU; workflow/demo.yaml says why they are so.
# More steps make better images. For results at the paper's scale: {paper}.
models:
  segguided-plus: # our generator: another image from each noise (workflow/docs/plus.md)
    decoder: {{channels: [16, 32, 64, 64, 64], modulation_channels: 16}}
    losses:
      energy_score: {{levels: 5, perceptual: 0.3}}
      perceptual: 0.03 # distance in the maps of a network that knows the classes
      perceptual_network: # SPADE's: equal settings share one network
        kind: encoder
        encoder:
          channels: [16, 32, 64]
          training: {{epochs: null, steps: 400, batch_size: 4, learning_rate: 1.0e-3}}
    tissues: # what lies where in a class, such as fat and muscle in the body: drawn first, from the mask
      stages:
        - cell: 16
          unet: {{channels: [64], layers_per_block: 1, norm_groups: 8, patch: 1}}
          copies: 8
          steps: 4
        - &middle
          cell: 4
          unet: {{channels: [48], layers_per_block: 1, norm_groups: 8, patch: 2}}
          middle_attention: false
          noise_patch: 2
          steps: 2
        - &fine
          cell: 1
          unet: {{channels: [32], layers_per_block: 1, norm_groups: 8, patch: 4}}
          middle_attention: false
          noise_scale: 0.5
          noise_patch: 2
          steps: 2
      augmentation: {{rotation_deg: 5, scale: 0.12, shift: 0.1, deformation: 0.015}}
    completer: # fills in the classes that a partial mask leaves free
      stages:
        - {{cell: 16, mlp: {{width: 384, blocks: 3}}, copies: 8, noise_scale: 2, steps: 20}}
        - {{<<: *middle, copies: 2, one_in: 4, steps: 8}}
        - {{<<: *fine, one_in: 4, steps: 4}}
      augmentation: {{shift: 0.15}}
      training: {{steps: 520, batch_size: 8, learning_rate: 2.0e-3, warmup_steps: 20, ema_decay: 0.99}}
    micro_batch_size: null
    training:
      epochs: null
      steps: 560
      batch_size: 2
      learning_rate: 2.0e-3
      warmup_steps: 20
      ema_decay: 0.99
  spade: # the baseline: a GAN that makes one image a mask
    generator: {{channels: [16, 32, 64, 64], middle_blocks: 1, modulation_channels: 32, norm: instance}}
    discriminator: {{channels: 32, layers: 3}}
    perceptual:
      kind: encoder
      encoder:
        channels: [16, 32, 64]
        training: {{epochs: null, steps: 400, batch_size: 4, learning_rate: 1.0e-3}}
    first_weights: he
    training:
      epochs: null
      steps: 640
      batch_size: 2
      micro_batch_size: null
      generator_learning_rate: 1.0e-3
      discriminator_learning_rate: 4.0e-4
      decay_share: 0.5
      mirror: false
      ema_decay: 0.99

segmenter: # measures whether an image shows its mask
  channels: [32, 64]
  augmentation: {{}}
  validation_slices: 32
  training: {{epochs: null, steps: 400, batch_size: 4, learning_rate: 5.0e-3}}

sampling: {{sampler: dpm-solver++, steps: 10, timestep_spacing: trailing, batch_size: 32}}
diversity: {{masks: 48}}
partial_masks: {{models: [segguided-plus], masks: 24, samples_per_mask: 3}}
similarity: {{model: segguided-plus, steps: 25, masks: 24}}
applications: {{model: segguided-plus, partial_model: segguided-plus, rare: {{images: 72}}}}
"""

PAPER = """\
# Networks, losses and numbers of steps are config.yaml's, the paper's. They need a GPU.
partial_masks: {models: [segguided-plus], masks: 200, samples_per_mask: 4}
similarity: {model: segguided-plus, timestep: 240, lambdas: [0.25, 0.5, 0.75, 1], steps: 50, masks: 200}
applications: {model: segguided-plus, partial_model: segguided-plus}
"""
